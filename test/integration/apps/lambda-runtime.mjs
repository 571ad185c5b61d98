// A runtime of AWS Lambda, as small as its API is: asks for an invocation, calls the handler, posts the answer, asks for the next.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
//
//   AWS_LAMBDA_RUNTIME_API=HOST:PORT node lambda-runtime.mjs HANDLER.mjs
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const invocations = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`;
const { handler } = await import(pathToFileURL(resolve(process.argv[2])).href);

for (;;) {
  const next = await fetch(`${invocations}/next`);
  const awsRequestId = next.headers.get('lambda-runtime-aws-request-id');
  const deadline = Number(next.headers.get('lambda-runtime-deadline-ms'));
  const context = { awsRequestId, getRemainingTimeInMillis: () => deadline - Date.now() };
  const [outcome, answer] = await Promise.resolve(handler(await next.json(), context)).then(
    (value) => ['response', value],
    (error) => ['error', { errorMessage: error.message, errorType: error.name }],
  );
  const posted = await fetch(`${invocations}/${awsRequestId}/${outcome}`, {
    method: 'POST',
    body: JSON.stringify(answer ?? null),
  });
  await posted.arrayBuffer();
}
