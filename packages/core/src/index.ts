export { didYouMean, nearestWord } from './address/nearest.ts'
export {
  asError,
  type CodeEntry,
  type CodeTable,
  type CoreCode,
  coreCodes,
  type FailedAttempt,
  HaError,
  type HaErrorDetails,
  isHaError,
  type Outcome,
} from './model/error.ts'
export { type Clock, systemClock } from './runtime/clock.ts'
export { type Limit, withDeadline } from './runtime/deadline.ts'
export { Emitter, type EventMap, type Events, type Listener } from './runtime/emitter.ts'
export { type Gate, gate } from './runtime/gate.ts'
export { abandonable, type Scope, scopeBelow } from './runtime/scope.ts'
