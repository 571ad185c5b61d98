module.exports = (record) => record.msg;
