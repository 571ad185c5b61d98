"""Reads COUNT records of a topic by confluent-kafka, and what comes after them until the end: TOPIC COUNT"""

import sys
import time

from confluent_kafka import Consumer, KafkaException, OFFSET_BEGINNING, TopicPartition

import reading


def sign_in():
    authorizer = reading.authorizer()
    if authorizer:
        # Its second value is the end of the token's life, in seconds since the epoch.
        def token(_configuration):
            return reading.access_token(authorizer), authorizer.expires_at

        return {"sasl.mechanism": "OAUTHBEARER", "oauth_cb": token}
    username, password = reading.scram()
    return {
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": username,
        "sasl.password": password,
    }


consumer = Consumer(
    {
        "bootstrap.servers": reading.bootstrap,
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": reading.ca_file,
        # It must have one, and neither joins it nor commits.
        "group.id": "unused",
        "enable.auto.commit": False,
        **sign_in(),
    }
)
# By callback come the token, and the connection: there are none before.
consumer.poll(0)
numbers = consumer.list_topics(reading.topic, timeout=reading.PATIENCE).topics[
    reading.topic
].partitions
consumer.assign([TopicPartition(reading.topic, number, OFFSET_BEGINNING) for number in numbers])

seen = 0
positions = dict.fromkeys(numbers, 0)
until = time.monotonic() + reading.PATIENCE


def at_end():
    return all(
        position >= consumer.get_watermark_offsets(TopicPartition(reading.topic, number))[1]
        for number, position in positions.items()
    )


while seen < reading.count or not at_end():
    for record in consumer.consume(500, timeout=0.2):
        if record.error():
            raise KafkaException(record.error())
        seen += 1
        positions[record.partition()] = record.offset() + 1
        reading.tell(
            record.partition(), record.offset(), record.key(), record.value(), record.headers()
        )
    if time.monotonic() > until:
        sys.exit(f"Only {seen} of {reading.count} records came within {reading.PATIENCE} s.")
consumer.close()
