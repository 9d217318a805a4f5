import { invalidRule } from './invalid-rule.ts'

/** A text as it is, or a pattern of texts. */
export type TextPattern = string | RegExp

/** Whether a text is what a rule or a test looks for. */
export function isText(pattern: TextPattern, text: string): boolean {
  return typeof pattern === 'string' ? pattern === text : pattern.test(text)
}

/** Throws `config-invalid` at a pattern that remembers where it was: it would match only every other time. */
export function checkText(path: string, pattern: TextPattern | undefined): void {
  if (pattern instanceof RegExp && (pattern.global || pattern.sticky))
    throw invalidRule(path, 'without the flags g and y')
}
