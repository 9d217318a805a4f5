// V8 keeps 10 frames, which the pool and the client above it use up before the caller's own is reached.
const mostFrames = 40

/** Where in the program we are: the frames of the stack, 40 at most, in one line. */
export function calledFrom(): string {
  const usual = Error.stackTraceLimit
  Error.stackTraceLimit = mostFrames
  const { stack = '' } = new Error('here')
  Error.stackTraceLimit = usual
  const [, ...frames] = stack.split('\n')
  return frames.map((frame) => frame.trim()).join(' ')
}
