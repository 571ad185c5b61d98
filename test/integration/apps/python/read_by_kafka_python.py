"""Reads COUNT records of a topic by kafka-python, and what comes after them until the end: TOPIC COUNT"""

import sys
import time

from kafka import KafkaConsumer, TopicPartition
from kafka.sasl.oauth import AbstractTokenProvider

import reading


class GlobusTokenProvider(AbstractTokenProvider):
    def __init__(self, authorizer):
        self.authorizer = authorizer

    def token(self):
        return reading.access_token(self.authorizer)


def sign_in():
    authorizer = reading.authorizer()
    if authorizer:
        provider = GlobusTokenProvider(authorizer)
        return {"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": provider}
    username, password = reading.scram()
    return {
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": username,
        "sasl_plain_password": password,
    }


consumer = KafkaConsumer(
    bootstrap_servers=reading.bootstrap,
    security_protocol="SASL_SSL",
    ssl_cafile=reading.ca_file,
    **sign_in(),
)
numbers = consumer.partitions_for_topic(reading.topic)
partitions = [TopicPartition(reading.topic, number) for number in sorted(numbers)]
consumer.assign(partitions)
consumer.seek_to_beginning()

seen = 0
until = time.monotonic() + reading.PATIENCE


def at_end():
    ends = consumer.end_offsets(partitions)
    return all(consumer.position(partition) >= ends[partition] for partition in partitions)


while seen < reading.count or not at_end():
    for records in consumer.poll(timeout_ms=200).values():
        for record in records:
            seen += 1
            reading.tell(
                record.partition, record.offset, record.key, record.value, record.headers
            )
    if time.monotonic() > until:
        sys.exit(f"Only {seen} of {reading.count} records came within {reading.PATIENCE} s.")
consumer.close()
