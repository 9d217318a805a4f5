import { createRequire } from 'node:module'
import type { RecordLayer } from './record-layer.ts'
import { checkJute } from './self-check.ts'

const require = createRequire(import.meta.url)
const { version } = require('node-zookeeper-client/package.json') as { readonly version: string }

/** The record layer of the package. To load this file throws when the package's inside is not the one we know. */
export const jute: RecordLayer = checkJute(require('node-zookeeper-client/lib/jute'), version)
