"""What the readers of a topic have in common: where it is, who reads it, and how a record is told."""

import base64
import json
import os
import sys

import globus_sdk

# How long a reader waits for the records that it was told of, in seconds.
PATIENCE = 60

# The native app of the event service: a public client.
CLIENT_ID = "c5d4fab4-7f0d-422e-b0c8-5c74329b52fe"

topic, count = sys.argv[1], int(sys.argv[2])
bootstrap = os.environ["BOOTSTRAP"]
ca_file = os.environ["CA_FILE"]


def authorizer():
    """Of a Globus access token, bought with the refresh token; None for who signs in by SCRAM."""
    refresh_token = os.environ.get("REFRESH_TOKEN")
    if refresh_token is None:
        return None
    client = globus_sdk.NativeAppAuthClient(CLIENT_ID)
    return globus_sdk.RefreshTokenAuthorizer(refresh_token, client)


def access_token(authorizer):
    return authorizer.get_authorization_header().removeprefix("Bearer ")


def scram():
    return os.environ["SCRAM_USERNAME"], os.environ["SCRAM_PASSWORD"]


def tell(partition, offset, key, value, headers):
    """One line on stdout, with bytes in base64."""

    def encoded(content):
        return None if content is None else base64.b64encode(content).decode()

    record = {
        "partition": partition,
        "offset": offset,
        "key": encoded(key),
        "value": encoded(value),
        "headers": [[name, encoded(content)] for name, content in headers or []],
    }
    print(json.dumps(record))
