// Makes docs/errors.md from the code tables of the built packages; `--check` says whether it is up to date.
import { readFileSync, writeFileSync } from 'node:fs'
import { bootstrapCodes } from '../packages/bootstrap/dist/index.js'
import { coreCodes } from '../packages/core/dist/index.js'
import { mariadbCodes } from '../packages/mariadb/dist/index.js'
import { rabbitCodes } from '../packages/rabbit/dist/index.js'
import { zookeeperCodes } from '../packages/zookeeper/dist/index.js'

const page = new URL('../docs/errors.md', import.meta.url)

const tables = [
  ['Every package', coreCodes],
  ['`@ha/rabbit`', rabbitCodes],
  ['`@ha/mariadb`', mariadbCodes],
  ['`@ha/zookeeper`', zookeeperCodes],
  ['`@ha/bootstrap`', bootstrapCodes],
]

function section([title, codes]) {
  const entries = Object.entries(codes).map(
    ([code, { meaning, action }]) => `### \`${code}\`\n\n${meaning}\n\n**What to do:** ${action}\n`,
  )
  return `## ${title}\n\n${entries.join('\n')}`
}

const text = `# Errors

<!-- Made by tools/errors-doc.mjs from the code tables. Do not edit. -->

Everything that \`@ha/*\` rejects or throws is an \`HaError\`. Read three things:

- \`code\`: one of the words below, and no other.
- \`outcome\`: what happened to the operation: \`done\`, \`not-done\`, or \`unknown\`. Unknown is an answer: the request was sent, and its answer was lost.
- \`cause\`: the error below it, kept. \`endpoint\`, \`serverCode\` and \`attempts\` say where, what the server said, and how every endpoint that was tried answered.

\`retryable\` says whether the same operation, begun again, can succeed. No password is ever in any of these.

${tables.map(section).join('\n')}`

if (process.argv.includes('--check')) {
  if (readFileSync(page, 'utf8') !== text) {
    console.error(
      'docs/errors.md is older than the code tables; make it anew with: node tools/errors-doc.mjs',
    )
    process.exit(1)
  }
} else writeFileSync(page, text)
