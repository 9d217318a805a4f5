import type { Mariadb, Transaction } from '@ha/mariadb'

/** Accounts with balances. Each transfer between them is applied exactly once. */
export class Accounts {
  readonly #db: Mariadb

  constructor(db: Mariadb) {
    this.#db = db
  }

  /** Creates the tables, and `count` accounts with a balance of 1 000 each, unless they exist. */
  async open(count: number): Promise<void> {
    await this.#db.query('CREATE TABLE IF NOT EXISTS accounts (id INT PRIMARY KEY, balance BIGINT NOT NULL)')
    await this.#db.query(
      'CREATE TABLE IF NOT EXISTS transfers (number BIGINT PRIMARY KEY, sender INT, receiver INT, amount BIGINT)',
    )
    const rows = Array.from({ length: count }, (_, id) => [id])
    await this.#db.batch('INSERT IGNORE INTO accounts VALUES (?, 1000)', rows)
  }

  /** Transfers money. The callback may run several times; its effect is committed once or not at all. */
  async transfer(number: number, sender: number, receiver: number, amount: number): Promise<void> {
    await this.#db.transaction(async (transaction) => {
      // Accounts are updated in ascending order, so that two opposite transfers cannot deadlock.
      const [low, high] = sender < receiver ? [-amount, amount] : [amount, -amount]
      await add(transaction, Math.min(sender, receiver), low)
      await add(transaction, Math.max(sender, receiver), high)
      await transaction.query('INSERT INTO transfers VALUES (?, ?, ?, ?)', [number, sender, receiver, amount])
    })
  }

  /** The sum of all balances and the number of transfers, read from one snapshot on any server that is up to date. */
  async totals(): Promise<{ readonly balance: number; readonly transfers: number }> {
    return this.#db.readOnly(
      async (transaction) => {
        const [balances] = await transaction.query<{ sum: string }>(
          'SELECT SUM(balance) AS sum FROM accounts',
        )
        const [transfers] = await transaction.query<{ count: number }>(
          'SELECT COUNT(*) AS count FROM transfers',
        )
        return { balance: Number(balances?.sum), transfers: transfers?.count ?? 0 }
      },
      { consistency: 'session' },
    )
  }
}

async function add(transaction: Transaction, id: number, amount: number): Promise<void> {
  await transaction.query('UPDATE accounts SET balance = balance + ? WHERE id = ?', [amount, id])
}
