/** Where in the program we are: the frames of the stack, in one line. */
export function calledFrom(): string {
  const [, ...frames] = (new Error('here').stack ?? '').split('\n')
  return frames.map((frame) => frame.trim()).join(' ')
}
