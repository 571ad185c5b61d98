await 0;
export default () => null;
