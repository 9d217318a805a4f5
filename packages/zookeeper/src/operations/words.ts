import { didYouMean } from '@ha/core/driver'
import { ZookeeperError } from '../zookeeper-error.ts'

/** Checks a word that a user wrote. Throws `config-invalid`, with the words that there are and the nearest of them. */
export function checkWord<W extends string>(what: string, path: string, word: W, known: readonly W[]): W {
  if (known.includes(word)) return word
  const hint = typeof word === 'string' ? didYouMean(word, known) : ''
  const message = `${what}: expected ${known.join(', ')}, got ${JSON.stringify(word)}${hint}`
  throw new ZookeeperError('config-invalid', message, { path })
}
