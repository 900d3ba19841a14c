module.exports = async function end() {
  const stack = globalThis.vivavoceStack;
  if (!stack || stack.exitCode !== null) return;
  const ended = new Promise((resolve) => stack.once('exit', resolve));
  stack.kill('SIGTERM');
  await ended;
};
