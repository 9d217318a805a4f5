// Blanks, comments and parentheses; a comment that the server executes is none.
const lead = /^(?:[\s(]|\/\*(?!M?!)[\s\S]*?\*\/|--[^\n]*\n|#[^\n]*\n)+/

/** A statement from its first word on: what stands before it says nothing of what the statement does. */
export function fromFirstWord(sql: string): string {
  return lead.test(sql) ? sql.replace(lead, '') : sql
}
