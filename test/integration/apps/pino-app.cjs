// CommonJS: the target by name, and the transport by require. node pino-app.cjs COUNT OPTIONS
const pino = require('pino');
const { default: transport } = require('diaspora-logger/pino');

const [count, json] = process.argv.slice(2);
const options = JSON.parse(json);
const byName = pino(pino.transport({ target: 'diaspora-logger/pino', options }));
const inProcess = pino(transport(options));
for (let i = 0; i < Number(count); i += 1) (i % 2 ? byName : inProcess).info({ i }, 'message');
