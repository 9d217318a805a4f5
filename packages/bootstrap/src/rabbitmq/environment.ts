import type { RabbitModel, RabbitNode } from './model.ts'

type Environment = Readonly<Record<string, string>>

// Two schedulers and no busy waiting: three virtual machines share a small machine without heating it.
const schedulers = '+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none'

/** What every program at this address runs with: the lab's own home, epmd and programs, so that nothing leaks in. */
export function sharedEnvironment(model: RabbitModel, host: string): Environment {
  const { folder, installation } = model.deployment
  return {
    // The cookie is read from here.
    HOME: `${folder}/home`,
    LANG: 'C.UTF-8',
    PATH: [installation.erlangBin, '/usr/local/bin', '/usr/bin', '/usr/sbin', '/bin', '/sbin'].join(':'),
    ERL_EPMD_PORT: String(model.epmdPort),
    ERL_EPMD_ADDRESS: host,
    // No Erlang program of the lab starts an epmd of its own or listens beyond its own address.
    ERL_AFLAGS: `-start_epmd false -kernel inet_dist_use_interface {${host.replaceAll('.', ',')}}`,
    RABBITMQ_SCRIPTS_DIR: `${folder}/server/sbin`,
    // An empty file; without it the host's own rabbitmq-env.conf is read.
    RABBITMQ_CONF_ENV_FILE: `${folder}/rabbitmq-env.conf`,
    // 0 takes any free port: the fixed eleven of the tools would collide with those of other labs.
    RABBITMQ_CTL_DIST_PORT_MIN: '0',
    RABBITMQ_CTL_DIST_PORT_MAX: '0',
  }
}

/** What a node runs with. */
export function nodeEnvironment(model: RabbitModel, node: RabbitNode): Environment {
  const own = `${model.deployment.folder}/nodes/${node.name}`
  return {
    ...sharedEnvironment(model, node.host),
    RABBITMQ_NODENAME: node.member,
    RABBITMQ_NODE_PORT: String(node.amqpPort),
    RABBITMQ_DIST_PORT: String(node.distributionPort),
    RABBITMQ_CONFIG_FILE: `${own}/rabbitmq.conf`,
    // Nothing is there; without it the host's /etc/rabbitmq/conf.d/*.conf is merged into the file above.
    RABBITMQ_CONFIG_FILES: `${own}/conf.d/*.conf`,
    RABBITMQ_ADVANCED_CONFIG_FILE: `${own}/advanced.config`,
    // Nothing is there, either; the default is /etc/rabbitmq/motd.
    RABBITMQ_MOTD_FILE: `${own}/motd`,
    RABBITMQ_ENABLED_PLUGINS_FILE: `${own}/enabled_plugins`,
    RABBITMQ_MNESIA_BASE: `${own}/data`,
    RABBITMQ_LOG_BASE: `${own}/data`,
    RABBITMQ_PID_FILE: `${own}/pid`,
    // To standard output, which is the node's one log: what fails before logging begins is in it, too.
    RABBITMQ_LOGS: '-',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: schedulers,
    // The start script gives its place to the Erlang VM, so that its pid is the one that signals must hit.
    RUNNING_UNDER_SYSTEMD: 'true',
  }
}
