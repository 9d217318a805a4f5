import { didYouMean, Problems } from '@ha/core/driver'
import { type ForeignOption, translate } from '../foreign-option.ts'
import { overlay } from '../overlay.ts'
import { misspelt, words } from '../spelling.ts'
import type { Translated } from '../translated.ts'
import { hikariOptions } from './hikari-options.ts'

/** What a block of HikariCP comes to. */
export interface TranslatedHikari extends Translated {
  /** Its `jdbc-url`. */
  readonly url: string | undefined
}

const options: Readonly<Record<string, ForeignOption>> = hikariOptions
const names: readonly string[] = ['jdbcUrl', ...Object.keys(options)]
const byFolded = new Map(names.map((name) => [folded(name), name]))

/** Reads a block of HikariCP by its names and floors. Throws one `config-invalid` that names everything wrong. */
export function readHikari(block: unknown, path: string): TranslatedHikari {
  if (typeof block !== 'object' || block === null || Array.isArray(block)) {
    throw misspelt(path, 'expected an object with the names of HikariCP')
  }
  const problems = new Problems()
  let sofar: TranslatedHikari = { url: undefined, draft: {}, warnings: [] }
  const seen = new Set<string>()
  for (const [written, value] of Object.entries(block)) {
    if (value === undefined) continue
    const place = `${path}.${written}`
    try {
      const name = byFolded.get(folded(written))
      if (name === undefined) throw misspelt(place, `there is no such option${didYouMean(written, names)}`)
      if (seen.has(name)) throw misspelt(place, 'stands twice, in two spellings')
      seen.add(name)
      sofar = fold(sofar, name, { value, place })
    } catch (error) {
      problems.addError(error)
    }
  }
  problems.throwIfAny()
  return sofar
}

function fold(
  sofar: TranslatedHikari,
  name: string,
  { value, place }: { readonly value: unknown; readonly place: string },
): TranslatedHikari {
  const option = options[name]
  if (option === undefined) return { ...sofar, url: words(value, place) }
  const { draft = {}, warning } = translate(option, value, place)
  const warnings = warning === undefined ? sofar.warnings : [...sofar.warnings, warning]
  return { ...sofar, draft: overlay(sofar.draft, draft), warnings }
}

// maximum-pool-size, maximumPoolSize and maximum_pool_size are one name.
function folded(name: string): string {
  return name.replaceAll(/[-_]/g, '').toLowerCase()
}
