// Sign-in by a token that stands in the file beside this one: see ../sign-in.test.ts.
import { readFile } from 'node:fs/promises';

export default () => readFile(new URL('./access-token', import.meta.url), 'utf8');
