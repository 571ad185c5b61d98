// Run with --import preload.mjs.
globalThis.preloaded.info('message');
