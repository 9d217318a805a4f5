import type { Frame } from './frame.ts'
import type { MethodName } from './method-table.ts'

/** What a frame is called in rules and in the log: its method, or its kind when it carries none. */
export type FrameName = MethodName | Exclude<Frame['kind'], 'method'>

/** The frames that are no methods. */
export const plainFrameNames: readonly FrameName[] = [
  'protocol-header',
  'content-header',
  'content-body',
  'heartbeat',
]

/** The name of a frame. */
export function frameName(frame: Frame): FrameName {
  return frame.kind === 'method' ? frame.method.name : frame.kind
}
