/** Vectors: RFC 7677, section 3, and one made with Python's hashlib for SHA-512. */
import { describe, expect, it } from 'vitest';
import { ScramExchange } from '../../../src/wire/scram.ts';

const user = { username: 'user', password: 'pencil' };
const nonce = 'rOprNGfwEbeRWgbNEkqO';
const serverFirst =
  'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096';

const exchange = (): ScramExchange => new ScramExchange('SCRAM-SHA-256', user, nonce);

describe('SCRAM', () => {
  it('signs in as in RFC 7677', async () => {
    const scram = exchange();
    expect(scram.first()).toBe('n,,n=user,r=rOprNGfwEbeRWgbNEkqO');
    expect(await scram.final(serverFirst)).toBe(
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    );
    scram.verify('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=');
  });

  it('refuses a server that does not know the password', async () => {
    const scram = exchange();
    await scram.final(serverFirst);
    expect(() => scram.verify('v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')).toThrow('prove');
    expect(() => scram.verify('v=')).toThrow('prove');
    expect(() => scram.verify('')).toThrow('prove');
    expect(() => exchange().verify('v=')).toThrow('prove');
  });

  it('repeats what the server says against it', () => {
    expect(() => exchange().verify('e=invalid-proof')).toThrow('invalid-proof');
  });

  it.each([
    ['another nonce', 'r=abc,s=W22Z,i=4096', 'nonce'],
    ['the nonce unchanged', `r=${nonce},s=W22Z,i=4096`, 'nonce'],
    ['no salt', `r=${nonce}x,i=4096`, 'salt'],
    ['too few iterations', `r=${nonce}x,s=W22Z,i=4095`, '4096 to 1000000'],
    ['too many iterations', `r=${nonce}x,s=W22Z,i=1000001`, '4096 to 1000000'],
    ['no iterations', `r=${nonce}x,s=W22Z`, '4096 to 1000000'],
    ['a demanded extension', `m=x,r=${nonce}x,s=W22Z,i=4096`, 'extension'],
  ])('refuses a server that sends %s', async (_name, challenge, said) => {
    await expect(exchange().final(challenge)).rejects.toThrow(said);
  });

  it('escapes a user name', () => {
    const scram = new ScramExchange('SCRAM-SHA-512', { username: 'a=b,c', password: 'x' }, 'n');
    expect(scram.first()).toBe('n,,n=a=3Db=2Cc,r=n');
  });

  it('signs in with SHA-512', async () => {
    const scram = new ScramExchange('SCRAM-SHA-512', user, nonce);
    expect(await scram.final(serverFirst)).toBe(
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==',
    );
    scram.verify(
      'v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==',
    );
  });
});
