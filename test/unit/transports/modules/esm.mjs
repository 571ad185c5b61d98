export default (record) => ({ ...record, seen: true });
