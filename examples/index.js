// `import { runProducerExample } from 'diaspora-logger/examples'`
export { runConsumerExample } from './consumer.js';
export { runProducerExample } from './producer.js';
