// Logs COUNT records by Pino in the way that is asked for: node pino-app.mjs WAY COUNT OPTIONS
import pino from 'pino';

const [way, count, json] = process.argv.slice(2);
const options = JSON.parse(json);
const target = 'diaspora-logger/pino';

function log(logger) {
  for (let i = 0; i < Number(count); i += 1) logger.info({ i, text: 'ä€😀' }, 'message');
}

async function inProcess() {
  const { default: transport } = await import(target);
  return transport(options);
}

const ways = {
  'ends by itself': () => log(pino(pino.transport({ target, options }))),
  'exits at once': () => {
    log(pino(pino.transport({ target, options })));
    process.exit(0);
  },
  'exits with an error': () => {
    log(pino(pino.transport({ target, options })));
    process.exit(7);
  },
  throws: () => {
    log(pino(pino.transport({ target, options })));
    throw new Error('of the app');
  },
  'flushes and is killed': () => {
    const logger = pino(pino.transport({ target, options }));
    log(logger);
    logger.flush((error) => {
      if (error) console.error(error);
      process.kill(process.pid, 'SIGKILL');
    });
  },
  'has two targets': () => {
    const discard = { target: 'pino/file', options: { destination: '/dev/null' } };
    log(pino(pino.transport({ targets: [{ target, options }, discard] })));
  },
  'has levels by target': () => {
    const transport = pino.transport({ targets: [{ target, level: 'warn', options }] });
    const logger = pino(transport);
    for (let i = 0; i < Number(count); i += 1) logger[i % 2 ? 'warn' : 'info']('message');
  },
  'has a pipeline': () => {
    const first = new URL('./marking-transform.mjs', import.meta.url).pathname;
    log(pino(pino.transport({ pipeline: [{ target: first }, { target, options }] })));
  },
  'in process, ended': async () => {
    const transport = await inProcess();
    log(pino(transport));
    transport.end();
  },
  'in process, flushed': async () => {
    const logger = pino(await inProcess());
    log(logger);
    logger.flush(() => process.exit(0));
  },
  'in process, left alone': async () => log(pino(await inProcess())),
  'synchronous transport': () => log(pino(pino.transport({ target, options, sync: true }))),
};

await ways[way]();
