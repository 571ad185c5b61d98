"""The event service's SDK as it was (version 1 of the interface): see commands.py."""

import json
import os

from diaspora_event_sdk.sdk import client as client_module
from diaspora_event_sdk.sdk import kafka_client, web_client
from diaspora_event_sdk.sdk.login_manager import decorators

from commands import serve

# Its addresses are constants, of a service and brokers that are no more.
for module in (client_module, web_client, decorators):
    module.TOKEN_EXCHANGE = os.environ["SERVICE_URL"]
kafka_client.MSK_SCRAM_ENDPOINT = os.environ["BOOTSTRAP"]

client = client_module.Client()
ca_file = {"ssl_cafile": os.environ["CA_FILE"]}


def produce(topic, values):
    producer = kafka_client.KafkaProducer(**ca_file)
    sent = [producer.send(topic, value) for value in values]
    offsets = [future.get(timeout=30).offset for future in sent]
    producer.close()
    return offsets


def consume(topic, count):
    consumer = kafka_client.KafkaConsumer(
        topic, auto_offset_reset="earliest", consumer_timeout_ms=30_000, **ca_file
    )
    values = [json.loads(record.value) for _, record in zip(range(count), consumer)]
    consumer.close()
    return values


def plain(call):
    """Of an HTTP answer: its body."""

    def called(*arguments):
        answer = call(*arguments)
        return getattr(answer, "data", answer)

    return called


serve(
    {
        "subject": lambda: client.subject_openid,
        "create_key": client.create_key,
        "retrieve_key": client.retrieve_key,
        "get_secret_key": client.get_secret_key,
        "put_secret_key": client.put_secret_key,
        "list_topics": plain(client.list_topics),
        "register_topic": plain(client.register_topic),
        "unregister_topic": plain(client.unregister_topic),
        "produce": produce,
        "consume": consume,
        "logout": client.logout,
    }
)
