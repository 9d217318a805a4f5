/**
 * Whether a statement provably changes nothing and may be repeated: a SELECT, SHOW, DESCRIBE or EXPLAIN that calls
 * only built-in functions. Stored functions and sequences may write.
 */
export const isReadOnly: (sql: string) => boolean = memoizeByText((sql) => onlyReads(lex(sql)))

const readStatements: ReadonlySet<string> = new Set(['SELECT', 'WITH', 'SHOW', 'DESCRIBE', 'DESC', 'EXPLAIN'])

// INTO writes variables and files; a PROCEDURE runs; NEXT, PREVIOUS and the words with VAL belong to sequences; the
// others write in a statement that begins with WITH or EXPLAIN.
const writeWords: ReadonlySet<string> = new Set([
  'INTO',
  'PROCEDURE',
  'NEXT',
  'PREVIOUS',
  'INSERT',
  'UPDATE',
  'DELETE',
  'ANALYZE',
  'NEXTVAL',
  'PREVVAL',
  'LASTVAL',
  'SETVAL',
])

function onlyReads(tokens: readonly Token[] | undefined): boolean {
  const first = tokens?.find((token) => token.text !== '(')
  if (tokens === undefined || first?.kind !== 'word' || !readStatements.has(first.text)) return false
  return tokens.every((token, i) => isReadOnlyToken(token, tokens[i - 1], tokens[i + 1]))
}

function isReadOnlyToken(token: Token, before: Token | undefined, next: Token | undefined): boolean {
  switch (token.kind) {
    case 'word':
      return isReadOnlyWord(token.text, before?.text, next?.text)
    case 'quoted-name':
    case 'value':
      // With `ANSI_QUOTES`, text in double quotes is a name.
      return next?.text !== '('
    case 'symbol':
      return token.text !== ':=' && (token.text !== ';' || next === undefined)
  }
}

function isReadOnlyWord(word: string, before: string | undefined, next: string | undefined): boolean {
  if (word === 'UPDATE' && before === 'FOR') return true
  if (writeWords.has(word)) return false
  if (next !== '(') return true
  // A name after a dot is a stored function, whatever its name.
  return before !== '.' && (pureFunctions.has(word) || wordsBeforeParentheses.has(word))
}

/**
 * Whether a statement commits in one step, so that an error of the server means that it had no effect. A procedure, a
 * block, or LOAD DATA, which Galera splits, may have committed a part before it failed.
 */
export const isAtomic: (sql: string) => boolean = memoizeByText(
  (sql) => !multiStep.test(skipLeadingBlanks(sql)),
)

const multiStep = /^(?:CALL|BEGIN|EXECUTE|IF|CASE|LOOP|FOR|WHILE|REPEAT|DECLARE|LOAD|XA|COMMIT|\/\*M?!)\b/i

// Statements with an implicit commit.
const implicitCommit =
  /^(?:ALTER|ANALYZE|BEGIN|CACHE|CHANGE|CHECK|CREATE|DROP|FLUSH|GRANT|INSTALL|LOCK|OPTIMIZE|RENAME|REPAIR|RESET|REVOKE|SET\s+(?:SESSION\s+|LOCAL\s+|@@(?:SESSION\.|LOCAL\.)?)?AUTOCOMMIT|SET\s+PASSWORD|START|TRUNCATE|UNINSTALL|UNLOCK)\b/i

/** The first word of a statement, for messages. */
export function verbOf(sql: string): string {
  return /^\s*(\w+)/.exec(sql)?.[1] ?? 'a statement'
}

/** Whether a statement may commit an open transaction: COMMIT, an implicit commit, or a block or procedure of several. */
export const mayCommit: (sql: string) => boolean = memoizeByText((sql) => {
  const text = skipLeadingBlanks(sql)
  return multiStep.test(text) || implicitCommit.test(text)
})

/**
 * Whether a statement may leave state in its session that a rollback does not undo: variables, a schema, locks,
 * temporary tables, prepared statements. In doubt the answer is yes. What a stored function called by a SELECT does is
 * not visible here.
 */
export const dirtiesSession: (sql: string) => boolean = memoizeByText((sql) => {
  const text = skipLeadingBlanks(sql)
  if (statefulStatement.test(text) && !setStatement.test(text)) return true
  return statefulExpression.test(text)
})

// The first words of a statement that may leave state in the session.
const statefulStatement =
  /^(?:SET|USE|LOCK|UNLOCK|PREPARE|EXECUTE|DEALLOCATE|HANDLER|FLUSH|BACKUP|CALL|XA|BEGIN\s+NOT|(?:CREATE(?:\s+OR\s+REPLACE)?|DROP)\s+TEMPORARY)\b/i

// Expressions that may leave state in any statement: a user variable, a named lock, an executable comment.
const statefulExpression = /:=|\bINTO\s+@|\b(?:GET|RELEASE)_(?:ALL_)?LOCKS?\b|\/\*M?!/i

// The variables of SET STATEMENT hold for one statement.
const setStatement = /^SET\s+STATEMENT\b/i

/** What a statement asks of its session, and the call that gives it one. */
export interface SessionUse {
  /** `refused`: without a session of its own it would do nothing, or harm. `doubtful`: it may be meant otherwise. */
  readonly kind: 'refused' | 'doubtful'
  readonly what: string
  readonly call: string
}

/**
 * The use of a session that a single statement cannot have, because each call may get another connection; undefined
 * for any other statement. What a procedure does is not visible here.
 */
export const sessionUse: (sql: string) => SessionUse | undefined = memoizeByText((sql) => {
  const text = sql.replace(markPattern, (all) => (all.startsWith('/*') || /^[-#]/.test(all) ? ' ' : "''"))
  const statement = text.replace(/\/\*M?!\d*/g, ' ').replace(/^[\s(]+/, '')
  const found = sessionUses.find(({ pattern }) => pattern.test(statement))
  if (found === undefined) return undefined
  const { kind, call, pattern } = found
  const what = pattern.exec(statement)?.[0].trim().replace(/\s+/g, ' ').toUpperCase() ?? ''
  return { kind, call, what }
})

const sessionUses: readonly (Pick<SessionUse, 'kind' | 'call'> & { readonly pattern: RegExp })[] = [
  {
    kind: 'refused',
    call: 'transaction()',
    pattern:
      /^(?:START\s+TRANSACTION|BEGIN(?=\s*(?:WORK\b|;|$))|COMMIT|ROLLBACK|SAVEPOINT|RELEASE\s+SAVEPOINT|SET\s+(?:SESSION\s+)?TRANSACTION)\b/i,
  },
  {
    kind: 'refused',
    call: 'session()',
    pattern:
      /^(?:XA|(?:UN)?LOCK\s+TABLES?|HANDLER|USE|PREPARE|EXECUTE(?!\s+IMMEDIATE)|DEALLOCATE|CREATE\s+(?:OR\s+REPLACE\s+)?TEMPORARY|DROP\s+TEMPORARY|FLUSH\s+TABLES\b.*\bWITH\s+READ\s+LOCK|SET(?!\s+(?:GLOBAL|PASSWORD|STATEMENT|DEFAULT\s+ROLE|@@GLOBAL)\b))(?![\w.])/is,
  },
  { kind: 'refused', call: 'session()', pattern: /\b(?:GET_LOCK|RELEASE_(?:ALL_)?LOCKS?)(?=\s*\()/i },
  { kind: 'doubtful', call: 'session()', pattern: /\bINTO\s+@\w+/i },
  {
    kind: 'doubtful',
    call: 'insertId and affectedRows of the result, or session()',
    pattern: /\b(?:LAST_INSERT_ID|FOUND_ROWS|ROW_COUNT)\s*\(\s*\)/i,
  },
]

/** A `?` or a `:name` of a statement. */
export interface Placeholder {
  readonly at: number
  readonly end: number
  /** Undefined for `?`. */
  readonly name: string | undefined
  /** Whether a list of values may take its place, as in `IN (?)`. */
  readonly list: boolean
}

/** The placeholders of a statement, in order, and whether they are certain whatever the `sql_mode`. */
export interface Placeholders {
  readonly marks: readonly Placeholder[]
  readonly certain: boolean
}

/** Finds the placeholders of a statement outside of text, names and comments. */
export const placeholdersOf: (sql: string) => Placeholders = memoizeByText((sql) => {
  const marks: Placeholder[] = []
  for (const match of sql.matchAll(markPattern)) {
    const [all, mark, name] = match
    if (mark === undefined) continue
    const list = listContext.test(sql.slice(Math.max(0, match.index - maxListText), match.index))
    marks.push({ at: match.index, end: match.index + all.length, name, list })
  }
  return { marks, certain: !ambiguous.test(sql) }
})

// Text, names and comments; then a mark. `:=` assigns, and a colon behind a word, a colon or a digit begins no name.
const markPattern =
  /'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`]|``)*`|--(?=\s|$)[^\n]*|#[^\n]*|\/\*(?!M?!)[\s\S]*?\*\/|(\?|(?<![\w:])(?::([\p{L}_][\p{L}\p{N}_]*)))/gsu

// What stands before a mark whose value may be a list: `IN (`, also with rows in parentheses, `FIELD(x, `, `ELT(x, `.
const listContext =
  /\b(?:IN\s*\((?!\s*(?:SELECT|WITH)\b)(?:\s*\([^()]*\)\s*,)*\s*\(?|(?:FIELD|ELT)\s*\()[^()]*$/i

// A condition with more text than this in front of its mark takes no list.
const maxListText = 10_000

/** Keywords that may precede a parenthesis without being a function. */
const wordsBeforeParentheses: ReadonlySet<string> = words(`
  ALL AND ANY AS BETWEEN BINARY BY CASE CHAR CROSS DATETIME DECIMAL DISTINCT DIV DOUBLE ELSE EXCEPT EXISTS FLOAT FOR FROM
  FULL GROUP HAVING IN INDEX INNER INTERSECT INTERVAL IS JOIN KEY LEFT LIKE LIMIT MOD NCHAR NOT NUMERIC OFFSET ON OR
  ORDER OUTER OVER PARTITION REGEXP RIGHT RLIKE SELECT SOME STRAIGHT_JOIN TABLE THEN TIME TIMESTAMP UNION UNSIGNED
  USE USING VALUES VARCHAR WHEN WHERE WITH XOR`)

/**
 * Built-in functions without side effects. Excluded on purpose: functions of locks and sequences, functions that wait
 * for a replica, LAST_INSERT_ID, which may set the session's value, and unknown functions.
 */
const pureFunctions: ReadonlySet<string> = words(`
  ABS ACOS ADDDATE ADDTIME ASCII ASIN ATAN ATAN2 AVG BIN BIT_AND BIT_COUNT BIT_LENGTH BIT_OR BIT_XOR CAST CEIL CEILING
  CHAR CHARACTER_LENGTH CHARSET CHAR_LENGTH COALESCE COLLATION CONCAT CONCAT_WS CONNECTION_ID CONV CONVERT CONVERT_TZ
  COS COT COUNT CRC32 CUME_DIST CURDATE CURRENT_DATE CURRENT_ROLE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER CURTIME
  DATABASE DATE DATEDIFF DATE_ADD DATE_FORMAT DATE_SUB DAY DAYNAME DAYOFMONTH DAYOFWEEK DAYOFYEAR DEFAULT DEGREES
  DENSE_RANK ELT EXP EXPORT_SET EXTRACT FIELD FIND_IN_SET FIRST_VALUE FLOOR FORMAT FOUND_ROWS FROM_BASE64 FROM_DAYS
  FROM_UNIXTIME GET_FORMAT GREATEST GROUP_CONCAT HEX HOUR IF IFNULL INET6_ATON INET6_NTOA INET_ATON INET_NTOA INSERT
  INSTR ISNULL IS_IPV4 IS_IPV6 JSON_ARRAY JSON_ARRAYAGG JSON_CONTAINS JSON_CONTAINS_PATH JSON_DEPTH JSON_EXISTS
  JSON_EXTRACT JSON_KEYS JSON_LENGTH JSON_OBJECT JSON_OBJECTAGG JSON_QUERY JSON_QUOTE JSON_SEARCH JSON_TABLE JSON_TYPE
  JSON_UNQUOTE JSON_VALID JSON_VALUE LAG LAST_DAY LAST_VALUE LCASE LEAD LEAST LEFT LENGTH LN LOCALTIME LOCALTIMESTAMP
  LOCATE LOG LOG10 LOG2 LOWER LPAD LTRIM MAKEDATE MAKETIME MATCH AGAINST MAX MD5 MEDIAN MICROSECOND MID MIN MINUTE MOD
  MONTH MONTHNAME NOW NTH_VALUE NTILE NULLIF NVL NVL2 OCT OCTET_LENGTH ORD PERCENTILE_CONT PERCENTILE_DISC PERCENT_RANK
  PERIOD_ADD PERIOD_DIFF PI POSITION POW POWER QUARTER QUOTE RADIANS RAND RANK REGEXP_INSTR REGEXP_REPLACE
  REGEXP_SUBSTR REPEAT REPLACE REVERSE RIGHT ROUND ROW_NUMBER RPAD RTRIM SCHEMA SECOND SEC_TO_TIME SESSION_USER SHA SHA1
  SHA2 SIGN SIN SLEEP SOUNDEX SPACE SQRT STD STDDEV STDDEV_POP STDDEV_SAMP STRCMP STR_TO_DATE ST_ASTEXT ST_CONTAINS
  ST_DISTANCE ST_GEOMFROMTEXT ST_WITHIN ST_X ST_Y SUBDATE SUBSTR SUBSTRING SUBSTRING_INDEX SUBTIME SUM SYSDATE
  SYSTEM_USER TAN TIME TIMEDIFF TIMESTAMP TIMESTAMPADD TIMESTAMPDIFF TIME_FORMAT TIME_TO_SEC TO_BASE64 TO_CHAR TO_DAYS
  TO_SECONDS TRIM TRUNCATE UCASE UNHEX UNIX_TIMESTAMP UPPER USER UTC_DATE UTC_TIME UTC_TIMESTAMP UUID UUID_SHORT
  VARIANCE VAR_POP VAR_SAMP VERSION WEEK WEEKDAY WEEKOFYEAR YEAR YEARWEEK`)

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/))
}

/** A token of a statement; words are in upper case, `text` is empty for values. */
interface Token {
  readonly kind: 'word' | 'quoted-name' | 'symbol' | 'value'
  readonly text: string
}

// One alternative for each kind of token, the longest first.
const pattern =
  /(?<blank>\s+|--(?=\s|$)[^\n]*|#[^\n]*|\/\*[\s\S]*?\*\/)|(?<string>'(?:[^']|'')*'|"(?:[^"]|"")*")|(?<name>`(?:[^`]|``)*`)|(?<word>[\p{L}_$][\p{L}\p{N}_$]*)|(?<number>\d[\p{L}\p{N}_.]*)|(?<symbol>:=|(?!\/\*)[^\s'"`])/uy

// An executable comment; or a backslash before a quote, which ends the text or not, depending on `sql_mode`.
const ambiguous = /\/\*[!M]|\\['"]/

/** The tokens of a statement without blanks and comments; undefined when it cannot be read with certainty. */
function lex(sql: string): readonly Token[] | undefined {
  if (ambiguous.test(sql)) return undefined
  const tokens: Token[] = []
  pattern.lastIndex = 0
  let end = 0
  while (end < sql.length) {
    const groups = pattern.exec(sql)?.groups
    if (groups === undefined) return undefined
    end = pattern.lastIndex
    const token = tokenOf(groups)
    if (token !== undefined) tokens.push(token)
  }
  return tokens
}

function tokenOf(groups: Readonly<Record<string, string | undefined>>): Token | undefined {
  const { word, symbol, name, string, number } = groups
  if (word !== undefined) return { kind: 'word', text: word.toUpperCase() }
  if (symbol !== undefined) return { kind: 'symbol', text: symbol }
  if (name !== undefined) return { kind: 'quoted-name', text: '' }
  return string !== undefined || number !== undefined ? { kind: 'value', text: '' } : undefined
}

// Blanks, comments and opening parentheses, but not executable comments.
const leadingBlanks = /^(?:[\s(]|\/\*(?!M?!)[\s\S]*?\*\/|--[^\n]*\n|#[^\n]*\n)+/

/** A statement from its first word on. */
function skipLeadingBlanks(sql: string): string {
  return leadingBlanks.test(sql) ? sql.replace(leadingBlanks, '') : sql
}

// A service has some hundred statements. A service that writes values into its statements has any number of them,
// each used once.
const maxTexts = 500
const maxTextLength = 4_096

/**
 * Memoizes a pure function of a text: programs send the same few statements repeatedly. Holds at most 500 texts of up
 * to 4 096 characters.
 */
function memoizeByText<T>(of: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>()
  return (text) => {
    if (text.length > maxTextLength) return of(text)
    const before = known.get(text)
    // `undefined` may be what `of` returned.
    if (before !== undefined || known.has(text)) return before as T
    const said = of(text)
    if (known.size >= maxTexts) known.clear()
    known.set(text, said)
    return said
  }
}
