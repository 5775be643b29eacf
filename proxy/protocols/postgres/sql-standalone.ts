// Which statements run only by themselves: what the server's PreventInTransactionBlock is called for.

type Tree = Readonly<Record<string, unknown>>

const always = (): boolean => true

/**
 * By the type of the parser's node; VACUUM is known by its word. Sources: the reference's page of each command, which
 * says "cannot be executed inside a transaction block".
 */
const STANDALONE: Readonly<Record<string, (statement: Tree) => boolean>> = {
  CreatedbStmt: always,
  DropdbStmt: always,
  AlterDatabaseStmt: (statement) => hasOption(statement['options'], 'tablespace'),
  CreateTableSpaceStmt: always,
  DropTableSpaceStmt: always,
  AlterSystemStmt: always,
  // By their options some could run with others, which not even the server knows before it looks at the subscription.
  CreateSubscriptionStmt: always,
  AlterSubscriptionStmt: always,
  DropSubscriptionStmt: always,
  IndexStmt: (statement) => statement['concurrent'] === true,
  DropStmt: (statement) => statement['concurrent'] === true,
  AlterTableStmt: (statement) => listOf(statement['cmds']).some(detachesConcurrently),
  ReindexStmt: (statement) =>
    hasOption(statement['params'], 'concurrently') ||
    ['REINDEX_OBJECT_SCHEMA', 'REINDEX_OBJECT_SYSTEM', 'REINDEX_OBJECT_DATABASE'].includes(String(statement['kind'])),
  // Without a table: all of them, each in a transaction of its own.
  ClusterStmt: (statement) => statement['relation'] === undefined,
  DiscardStmt: (statement) => statement['target'] === 'DISCARD_ALL',
  TransactionStmt: (statement) =>
    ['TRANS_STMT_COMMIT_PREPARED', 'TRANS_STMT_ROLLBACK_PREPARED'].includes(String(statement['kind'])),
}

/** @param type of the parser's node, e.g. `VacuumStmt` */
export function isStandalone(type: string, statement: Tree): boolean {
  return STANDALONE[type]?.(statement) ?? false
}

function hasOption(options: unknown, name: string): boolean {
  return listOf(options).some((option) => field(field(option, 'DefElem'), 'defname') === name)
}

function detachesConcurrently(command: unknown): boolean {
  const definition = field(field(field(command, 'AlterTableCmd'), 'def'), 'PartitionCmd')
  return field(definition, 'concurrent') === true
}

function field(tree: unknown, name: string): unknown {
  return typeof tree === 'object' && tree !== null ? (tree as Tree)[name] : undefined
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
