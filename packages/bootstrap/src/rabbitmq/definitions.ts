import type { RabbitModel } from './model.ts'

/**
 * The broker's own objects, in the form that `rabbitmqctl import_definitions` reads: virtual hosts, what guest may
 * do in them, and policies. They are imported when all members agree: `load_definitions` in the first node's
 * configuration made it wait 45 s for members that were still joining (3.10.8).
 */
export function renderDefinitions(model: RabbitModel): string {
  const document = {
    vhosts: model.vhosts.map((name) => ({ name })),
    permissions: model.vhosts.map((vhost) => ({
      user: 'guest',
      vhost,
      configure: '.*',
      write: '.*',
      read: '.*',
    })),
    policies: model.vhosts.flatMap((vhost) =>
      model.policies.map((policy) => ({ vhost, 'apply-to': 'queues', priority: 0, ...policy })),
    ),
  }
  return `${JSON.stringify(document, null, 2)}\n`
}

/** Whether a new cluster lacks anything that the definitions hold. */
export function needsDefinitions(model: RabbitModel): boolean {
  return model.policies.length > 0 || model.vhosts.length > 1
}
