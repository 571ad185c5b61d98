export const transform = () => null;
