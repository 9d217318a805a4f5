import { HaError } from '@ha/core'
import { misspelt } from './spelling.ts'

/** Reads a password: text, or a function that is asked for it before each connection. Never names what was given. */
export function readPassword(value: unknown, path: string): () => Promise<string> {
  if (value === undefined) return async () => ''
  if (typeof value === 'string') return async () => value
  if (typeof value === 'function') return async () => checkAnswer(await value(), path)
  throw misspelt(path, `expected text or a function, got a ${typeof value}`)
}

function checkAnswer(answer: unknown, path: string): string {
  if (typeof answer === 'string') return answer
  throw new HaError('config-invalid', `${path}(): expected text, got a ${typeof answer}`)
}
