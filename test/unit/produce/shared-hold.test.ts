import { expect, it } from 'vitest';
import { SharedHold } from '../../../src/produce/shared-hold.ts';

it('holds from the first who asks to the last who lets go', () => {
  let held = false;
  const shared = new SharedHold({
    ref: () => {
      held = true;
    },
    unref: () => {
      held = false;
    },
  });
  shared.ref();
  shared.ref();
  shared.unref();
  expect(held).toBe(true);
  shared.unref();
  expect(held).toBe(false);
});
