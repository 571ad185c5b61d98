// Has nothing but the token store to sign in with, and prints why its record was not sent.
import { DiasporaLogger } from 'diaspora-logger';

const producer = new DiasporaLogger({ deliveryTimeoutMs: 2_000 });
await producer.send('a-topic', 'a record').catch(({ message }) => console.log(message));
await producer.close();
