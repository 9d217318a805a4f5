import { didYouMean, HaError } from '@ha/core'
import type { BindingSpec, Topology } from './spec.ts'

/** A topology whose parts fit together; throws `config-invalid` with the path of what does not. */
export function checkTopology(value: unknown, path: string): Topology {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null)
    throw invalid(path, 'expected { exchanges, queues, bindings }')
  const topology = value as Topology
  for (const key of Object.keys(topology)) checkWord(key, parts, `${path}.${key}`, 'there is no such part')
  for (const [name, { type }] of Object.entries(topology.exchanges ?? {})) {
    const problem = `expected one of ${types.join(', ')}`
    checkWord(String(type), types, `${path}.exchanges.${name}.type`, problem)
  }
  for (const [name, { kind }] of Object.entries(topology.queues ?? {})) {
    checkWord(
      String(kind),
      kinds,
      `${path}.queues.${name}`,
      'expected quorum(), mirrored(), classic() or ephemeral()',
    )
  }
  for (const [i, binding] of (topology.bindings ?? []).entries()) {
    checkBinding(topology, binding, `${path}.bindings[${i}]`)
  }
  return topology
}

function checkWord(word: string, words: readonly string[], path: string, problem: string): void {
  if (!words.includes(word)) throw invalid(path, `${problem}${didYouMean(word, words)}`)
}

const parts: readonly string[] = ['exchanges', 'queues', 'bindings']
const types: readonly string[] = ['direct', 'topic', 'fanout', 'headers']
const kinds: readonly string[] = ['quorum', 'mirrored', 'classic', 'ephemeral']

function checkBinding(topology: Topology, binding: BindingSpec, path: string): void {
  if ((binding.queue === undefined) === (binding.toExchange === undefined)) {
    throw invalid(path, 'expected either queue or toExchange')
  }
  const exchanges = Object.keys(topology.exchanges ?? {})
  checkName(binding.exchange, exchanges, `${path}.exchange`)
  if (binding.queue === undefined) checkName(binding.toExchange, exchanges, `${path}.toExchange`)
  else checkName(binding.queue, Object.keys(topology.queues ?? {}), `${path}.queue`)
}

// What another service declares may well be bound to; what is nearly one of ours is a slip.
function checkName(name: unknown, declared: readonly string[], path: string): void {
  if (typeof name !== 'string' || name === '') throw invalid(path, 'expected a name')
  if (declared.includes(name)) return
  const hint = didYouMean(name, declared)
  if (hint !== '') throw invalid(path, `'${name}' is not declared${hint}`)
}

function invalid(path: string, problem: string): HaError {
  return new HaError('config-invalid', `${path}: ${problem}`)
}
