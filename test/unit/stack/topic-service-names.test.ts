import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  makeAccessKey,
  readAccessKey,
  secretAccessKey,
} from '../../../stack/topic-service/access-key.ts';
import {
  isSubject,
  isUsername,
  namespaceOf,
  principalsOf,
  readSubject,
} from '../../../stack/topic-service/identity.ts';
import {
  checkFormName,
  checkV1Name,
  checkV3Name,
} from '../../../stack/topic-service/topic-names.ts';

const subject = 'cfe00dde-46ef-5426-a1ff-afb9e2825e80';

/** Names that nobody should get through with, whatever the rule. */
const injections = [
  '<script>alert(1)</script>',
  "x'; DROP TABLE topics; --",
  '../../etc/passwd',
  '..',
  '.',
  'a/b',
  'a\\b',
  'a%2fb',
  'a\0b',
  'a\r\nX: y',
  'a b',
  ' a',
  'a\n',
  '*',
  'User:*',
  'a,b',
  'a:b',
  'tоpic', // a Cyrillic o
  'topiс', // a Cyrillic c
  'ａｂｃ', // full width
  '１２３',
  'ﬁle', // a ligature
  'é',
  'a\u200bb',
  '\u202etopic',
  '$(id)',
  '{{7*7}}',
];

describe('Topic names', () => {
  it.each(injections)('are never %j', (name) => {
    for (const check of [checkFormName, checkV1Name, checkV3Name]) {
      expect(() => check(name)).toThrow();
    }
  });

  it('of the form are letters, digits and underscores, and do not start with one', () => {
    for (const name of ['a', '0', 'Lab_temperature_2', 'a_', 'x'.repeat(249)]) checkFormName(name);
    expect(() => checkFormName('_a')).toThrow('cannot start with an underscore');
    expect(() => checkFormName('a-b')).toThrow('letters (A to Z, a to z), digits and underscores');
    expect(() => checkFormName('a.b')).toThrow('letters (A to Z, a to z), digits and underscores');
    expect(() => checkFormName('')).toThrow('A topic name is needed');
    expect(() => checkFormName('x'.repeat(250))).toThrow('at most 249');
  });

  it("of v1 are Kafka's, but for those of Kafka, of the service and of namespaces", () => {
    for (const name of ['a', 'topic-0f3a', 'lab.temperature', '_a', 'ns-x.y']) checkV1Name(name);
    for (const name of [
      '__consumer_offsets',
      '__connection_test',
      'ns-afb9e2825e80.x',
      'ns-afb9e2825e80_x',
    ]) {
      expect(() => checkV1Name(name)).toThrow('reserved');
    }
  });

  it('of v3 are as the public service has them', () => {
    for (const name of ['abc', 'a-b', 'a_b', '0-0', 'x'.repeat(32)]) checkV3Name(name);
    for (const name of ['ab', 'x'.repeat(33)]) {
      expect(() => checkV3Name(name)).toThrow('between 3 and 32');
    }
    for (const name of ['-abc', 'abc-', '_abc', 'abc_']) {
      expect(() => checkV3Name(name)).toThrow('start or end');
    }
    expect(() => checkV3Name('a.b')).toThrow('letters, numbers, dash and underscore');
  });
});

describe('People', () => {
  it('are named by a UUID, in whatever case', () => {
    expect(readSubject(` ${subject.toUpperCase()} `)).toBe(subject);
    expect(namespaceOf(subject)).toBe('ns-afb9e2825e80');
    for (const text of ['', '*', subject.slice(1), `{${subject}}`, `${subject}\0`, ...injections]) {
      expect(() => readSubject(text)).toThrow('must be a UUID');
      expect(isSubject(text)).toBe(false);
    }
  });

  it("are principals by subject and by user name, and never Kafka's everybody", () => {
    expect(principalsOf({ subject, username: 'ada@example.org' })).toEqual([
      `User:${subject}`,
      'User:ada@example.org',
    ]);
    expect(principalsOf({ subject, username: null })).toEqual([`User:${subject}`]);
    expect(isUsername(`${subject}@clients.auth.globus.org`)).toBe(true);
    for (const name of ['*', '', 'ada', '*@x', 'a@b@c', 'a b@c', 'a@b\0', `${'x'.repeat(400)}@y`]) {
      expect(isUsername(name)).toBe(false);
    }
  });
});

describe("An access key's id", () => {
  it('names its subject and when it was made', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.integer({ min: 0, max: 2 ** 47 }), (owner, createdAt) => {
        const { id } = makeAccessKey(owner, createdAt);
        // What AWS's own clients take for an access key id.
        expect(id).toMatch(/^\w{16,128}$/);
        expect(readAccessKey(id)).toEqual({ id, subject: owner, createdAt });
      }),
    );
  });

  it('is another one each time, and so is its secret, which follows from it', () => {
    const ids = Array.from({ length: 100 }, () => makeAccessKey(subject, 1).id);
    expect(new Set(ids).size).toBe(100);
    const [one = '', other = ''] = ids;
    const secret = secretAccessKey('service secret', one);
    expect(secret).toHaveLength(40);
    expect(secretAccessKey('service secret', one)).toBe(secret);
    expect(secretAccessKey('service secret', other)).not.toBe(secret);
    expect(secretAccessKey('another secret', one)).not.toBe(secret);
  });

  it.each(['', 'AKIAIOSFODNN7EXAMPLE', 'DSPA', `DSPA${'a'.repeat(40)}`, `DSPA${'A'.repeat(41)}`])(
    'is not %j',
    (id) => {
      expect(readAccessKey(id)).toBeNull();
    },
  );
});
