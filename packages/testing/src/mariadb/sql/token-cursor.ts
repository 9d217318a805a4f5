import type { Token } from './token.ts'

/** The statement is none that this parser knows. */
export class UnknownSql extends Error {
  override readonly name = 'UnknownSql'
}

const end: Token = { kind: 'end', text: '', written: '', at: 0 }

/** Walks over tokens from front to back. Words are asked for in lower case. */
export class TokenCursor {
  readonly #sql: string
  readonly #tokens: readonly Token[]
  #at = 0
  #parameters = 0

  constructor(sql: string, tokens: readonly Token[]) {
    this.#sql = sql
    this.#tokens = tokens
  }

  /** How many parameters were taken. */
  get parameters(): number {
    return this.#parameters
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#tokens.length
  }

  /** What was taken since that token, as it was written. */
  since(first: Token): string {
    const last = this.#tokens[this.#at - 1] ?? first
    return this.#sql.slice(first.at, last.at + last.written.length)
  }

  peek(ahead = 0): Token {
    return this.#tokens[this.#at + ahead] ?? end
  }

  take(): Token {
    const token = this.peek()
    this.#at += 1
    return token
  }

  /** Counts a parameter and says which one it is, from 0. */
  parameter(): number {
    return this.#parameters++
  }

  /** Whether these words come next; takes them when they do. */
  accept(...words: readonly string[]): boolean {
    const isNext = words.every((word, i) => {
      const { kind, text } = this.peek(i)
      return text === word && (kind === 'word' || kind === 'sign')
    })
    if (isNext) this.#at += words.length
    return isNext
  }

  /** Takes one of these words, or undefined when none comes next. */
  acceptOne<W extends string>(words: readonly W[]): W | undefined {
    return words.find((word) => this.accept(word))
  }

  expect(...words: readonly string[]): void {
    if (!this.accept(...words)) throw this.unknown()
  }

  /** The name of something. */
  name(): string {
    const token = this.take()
    if (token.kind === 'word') return token.written
    if (token.kind === 'quoted-word') return token.text
    throw this.unknown()
  }

  /** What is separated by commas. */
  list<T>(one: () => T): readonly T[] {
    const items = [one()]
    while (this.accept(',')) items.push(one())
    return items
  }

  /** A list in parentheses. */
  enclosed<T>(one: () => T): readonly T[] {
    this.expect('(')
    const items = this.list(one)
    this.expect(')')
    return items
  }

  unknown(): UnknownSql {
    return new UnknownSql(this.peek().written)
  }
}
