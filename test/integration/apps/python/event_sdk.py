"""The event service's SDK as it is today (version 3 of the interface): see commands.py."""

import json
import os

from diaspora_event_sdk import Client, KafkaConsumer, KafkaProducer

from commands import serve

# Signs in where the storage holds no tokens.
client = Client()
ca_file = {"ssl_cafile": os.environ["CA_FILE"]}


def produce(topic, values):
    producer = KafkaProducer(topic, **ca_file)
    sent = [producer.send(topic, value) for value in values]
    offsets = [future.get(timeout=30).offset for future in sent]
    producer.close()
    return offsets


def consume(topic, count):
    consumer = KafkaConsumer(
        topic, auto_offset_reset="earliest", consumer_timeout_ms=30_000, **ca_file
    )
    values = [json.loads(record.value) for _, record in zip(range(count), consumer)]
    consumer.close()
    return values


serve(
    {
        "subject": lambda: client.subject_openid,
        "namespace": lambda: client.namespace,
        "create_user": client.create_user,
        "create_key": client.create_key,
        "delete_key": client.delete_key,
        "list_namespaces": client.list_namespaces,
        "create_topic": client.create_topic,
        "delete_topic": client.delete_topic,
        "recreate_topic": client.recreate_topic,
        "produce": produce,
        "consume": consume,
        "logout": client.logout,
    }
)
