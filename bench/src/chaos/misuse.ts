import { setTimeout as sleep } from 'node:timers/promises'
import { isHaError } from '@ha/core'

/** One public call with arguments that are right. */
export interface PublicCall {
  readonly name: string
  readonly args: readonly unknown[]
  readonly call: (...args: unknown[]) => unknown
}

/** What came of the calls with wrong arguments. */
export interface MisuseResult {
  readonly calls: number
  readonly refused: number
  readonly accepted: number
  /** Rejections that are no errors of the library, and calls that did not settle; each with the call. */
  readonly offences: readonly string[]
}

// A call that was accepted may wait for a server, by default for 30 s.
const settleMs = 40_000

const replacements: readonly (readonly [name: string, make: () => unknown])[] = [
  ['undefined', () => undefined],
  ['null', () => null],
  ['NaN', () => Number.NaN],
  ["''", () => ''],
  ['5', () => 5],
  ['{}', () => ({})],
  ['[]', () => []],
  ['an aborted signal', () => AbortSignal.abort()],
  ['options with an aborted signal', () => ({ signal: AbortSignal.abort(), timeoutMs: 2_000 })],
]

/** Every call with every argument replaced by every wrong value, one after the other. */
export function misuse(calls: readonly PublicCall[], signal: AbortSignal): Promise<MisuseResult> {
  const wrongCalls = calls.flatMap(({ name, args, call }) =>
    args.flatMap((_, position) =>
      replacements.map(([word, make]) => ({
        name: `${name}, argument ${position + 1} = ${word}`,
        run: () => call(...args.map((arg, i) => (i === position ? make() : arg))),
      })),
    ),
  )
  return tryAll(wrongCalls, signal)
}

/** Every call on a client that is closed. */
export function useClosed(calls: readonly PublicCall[]): Promise<MisuseResult> {
  const late = calls.map(({ name, args, call }) => ({
    name: `${name} after close()`,
    run: () => call(...args),
  }))
  return tryAll(late, new AbortController().signal)
}

interface Attempt {
  readonly name: string
  readonly run: () => unknown
}

async function tryAll(attempts: readonly Attempt[], signal: AbortSignal): Promise<MisuseResult> {
  const result = { calls: 0, refused: 0, accepted: 0, offences: [] as string[] }
  for (const { name, run } of attempts) {
    if (signal.aborted) break
    result.calls += 1
    const offence = await tryCall(run, result)
    if (offence !== undefined) result.offences.push(`${name}: ${offence}`)
  }
  return result
}

async function tryCall(
  call: () => unknown,
  result: { refused: number; accepted: number },
): Promise<string | undefined> {
  const controller = new AbortController()
  const late = sleep(settleMs, 'late' as const, { signal: controller.signal }).catch(() => 'late' as const)
  try {
    const value = await Promise.race([(async () => call())(), late])
    if (value === 'late') return `not settled after ${settleMs} ms`
    await release(value)
    result.accepted += 1
    return undefined
  } catch (error) {
    result.refused += 1
    if (isHaError(error)) return error.message === '' ? 'an error without a message' : undefined
    // An aborted signal rejects with its own reason.
    if (error instanceof DOMException && error.name === 'AbortError') return undefined
    return `no error of the library: ${String(error)}`
  } finally {
    controller.abort()
  }
}

// What an accepted call opened is closed again: a lease, a consumer, a cache, an iterator.
async function release(value: unknown): Promise<void> {
  if (typeof value !== 'object' || value === null) return
  for (const name of ['release', 'stop', 'close', 'return'] as const) {
    const end: unknown = Reflect.get(value, name)
    if (typeof end !== 'function') continue
    await Promise.race([Promise.resolve(end.call(value)).catch(() => undefined), sleep(2_000)])
    return
  }
}
