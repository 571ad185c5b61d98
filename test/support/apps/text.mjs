// Texts that are hard to carry, the same for the same number.

/** Control characters, scripts beside ASCII, what is composed, what is outside the basic plane, and what is no text. */
export const difficult = [
  'plain ASCII',
  'Grüße, naïve façade',
  '観測所の記録 漢字かな交じり文',
  'emoji 😀👩‍🔬🏳️‍🌈 and flags 🇨🇭',
  'combining e\u0301 a\u030a n\u0303 Z\u0351\u036b\u0343',
  'right to left: שלום مرحبا \u202Emirrored\u202C',
  'lone surrogates \ud800 and \udfff and \ude00\ud83d',
  'control \u0000\u0001\u0008\t\n\v\f\r\u001b[31m\u007f\u0085',
  'separators \u2028 \u2029 \ufeff \ufffe \uffff',
  'quotes " \' ` \\ / {"level":60} \\u0041 \\n',
  '\n',
  ' ',
];

/** Longest that a record with its headers may be in a topic with Kafka's default `max.message.bytes`, less a margin. */
const large = 900 * 1024;

/** Most are short; every thousandth is empty, every 2,500th is large. */
export function textOf(i) {
  if (i % 1_000 === 7) return '';
  if (i % 2_500 === 2_499) return `${i} ${'ä漢😀x'.repeat(large / 10)}`;
  const text = difficult[i % difficult.length];
  // Lengths around those where a varint takes one byte more, and a few of several KiB.
  if (i % 97 === 0) return text.repeat(1 + (i % 300));
  return i % 11 === 0 ? text + 'x'.repeat(i % 150) : text;
}
