// An app does not outlive the process that started it, even one that was killed.
const end = () => process.exit(1);

/** From now on the app ends where its parent does. */
export function endWithParent() {
  process.on('disconnect', end);
}

/** The app ends by itself: nothing keeps it alive any more, and its parent no longer ends it. */
export function leaveParent() {
  process.off('disconnect', end);
  process.disconnect();
}
