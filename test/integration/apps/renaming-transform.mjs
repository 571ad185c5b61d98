// Hook of the transport: renames, leaves out, and fails.
export default (record) => {
  if (record.i % 10 === 1) return null;
  if (record.i % 10 === 2) throw new Error('cannot do twos');
  if (record.i % 10 === 3) return `text ${record.i}`;
  return { number: record.i, message: record.msg };
};
