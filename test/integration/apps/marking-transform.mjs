// First of a pipeline: marks each record.
import { Transform } from 'node:stream';
import build from 'pino-abstract-transport';

export default () =>
  build(
    (source) =>
      source.pipe(
        new Transform({
          objectMode: true,
          transform: (record, _encoding, done) =>
            done(null, `${JSON.stringify({ ...record, marked: true })}\n`),
        }),
      ),
    { enablePipelining: true },
  );
