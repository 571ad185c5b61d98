/** Checks of single values. Each answers with what the option takes: the message is `Option "x" takes <that>, got <value>.` */
import { z } from 'zod';

export const check = <T>(takes: string, test: (value: unknown) => boolean): z.ZodCustom<T> =>
  z.custom<T>(test, { error: takes });

export const text = (takes: string): z.ZodCustom<string> =>
  check<string>(takes, (value) => typeof value === 'string' && value !== '');

export const flag: z.ZodCustom<boolean> = check<boolean>(
  'true or false',
  (value) => typeof value === 'boolean',
);

export const integer = (min: number, max: number, unit: string): z.ZodCustom<number> =>
  check<number>(
    `a whole number${unit} from ${min.toLocaleString('en')} to ${max.toLocaleString('en')}`,
    (value) => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max,
  );

export const milliseconds = (min: number, max: number): z.ZodCustom<number> =>
  integer(min, max, ' of milliseconds');

export const oneOf = <T extends string | number>(...values: T[]): z.ZodCustom<T> =>
  check<T>(values.map((value) => JSON.stringify(value)).join(' or '), (value) =>
    values.some((known) => known === value),
  );
