import { describe, expect, it } from 'vitest';
import { Gate, OnePerName } from '../../../stack/topic-service/waiting-line.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Work for one name', () => {
  it('is done one after the other, in order, whatever fails; other names do not wait', async () => {
    const line = new OnePerName();
    const seen: string[] = [];
    const task =
      (name: string, fails = false) =>
      async (): Promise<string> => {
        seen.push(`${name} begins`);
        await turn();
        seen.push(`${name} ends`);
        if (fails) throw new Error(name);
        return name;
      };
    const results = await Promise.allSettled([
      line.run('a', task('a1', true)),
      line.run('a', task('a2')),
      line.run('b', task('b1')),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    const ofA = seen.filter((one) => one.startsWith('a'));
    expect(ofA).toEqual(['a1 begins', 'a1 ends', 'a2 begins', 'a2 ends']);
    expect(seen.indexOf('b1 begins')).toBeLessThan(seen.indexOf('a1 ends'));
  });
});

describe('A gate', () => {
  it('lets so many through at once and no more, and never loses a place', async () => {
    const gate = new Gate(3, 47);
    let running = 0;
    let most = 0;
    const results = await Promise.allSettled(
      Array.from({ length: 50 }, (_, index) =>
        gate.run(async () => {
          running += 1;
          most = Math.max(most, running);
          await turn();
          running -= 1;
          if (index % 7 === 0) throw new Error('fails');
        }),
      ),
    );
    expect(most).toBe(3);
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(8);
    expect(await gate.run(async () => 'free again')).toBe('free again');
  });

  it('is closed once what has begun is done, and lets nobody else in', async () => {
    const gate = new Gate(2, 10);
    const seen: string[] = [];
    const tasks = ['a', 'b', 'c'].map((name) =>
      gate.run(async () => {
        await turn();
        seen.push(name);
      }),
    );
    const settled = Promise.allSettled(tasks);
    await gate.close();
    expect(seen).toEqual(['a', 'b']);
    await expect(gate.run(turn)).rejects.toMatchObject({ code: 'BUSY' });
    expect((await settled).map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
    ]);
    await gate.close();
  });

  it('turns away whom the line has no place for', async () => {
    const gate = new Gate(1, 1);
    const first = gate.run(turn);
    const second = gate.run(turn);
    await expect(gate.run(turn)).rejects.toMatchObject({ status: 503, code: 'BUSY' });
    await Promise.all([first, second]);
    expect(await gate.run(async () => 'free again')).toBe('free again');
  });
});
