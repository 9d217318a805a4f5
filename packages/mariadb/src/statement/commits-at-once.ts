import { fromFirstWord } from '../driver/first-word.ts'
import { remembered } from '../driver/remembered.ts'

/**
 * Whether a statement commits all that it does in one step, so that an error of the server means that nothing was done.
 * A procedure, a block or LOAD DATA, which Galera splits, may have committed a part before it failed.
 */
export const commitsAtOnce: (sql: string) => boolean = remembered((sql) => !several.test(fromFirstWord(sql)))

const several = /^(?:CALL|BEGIN|EXECUTE|IF|CASE|LOOP|FOR|WHILE|REPEAT|DECLARE|LOAD|XA|COMMIT|\/\*M?!)\b/i
