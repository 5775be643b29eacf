// Names the relations of a parsed statement: tables, and whatever else may stand in their place.

/** A node of the parser's tree, or a part of one. */
type Tree = Readonly<Record<string, unknown>>

/** The names that WITH gives, which are no tables where they can be seen (chapter "WITH Queries"). */
interface Scope {
  readonly name: string
  readonly outer: Scope | undefined
}

interface Walk {
  readonly found: Set<string>
  /** A stack of our own: a statement may be nested more deeply than JavaScript's reaches. */
  readonly rest: { readonly tree: unknown; readonly scope: Scope | undefined }[]
}

/** `typevar` names a type. What FOR UPDATE OF names are aliases. */
const WITHOUT_TABLES = new Set(['typevar', 'lockingClause'])

/** DROP, COMMENT and SECURITY LABEL give names as lists of strings: those of relations, … */
const RELATION_OBJECTS = new Set([
  'OBJECT_TABLE',
  'OBJECT_VIEW',
  'OBJECT_MATVIEW',
  'OBJECT_FOREIGN_TABLE',
  'OBJECT_SEQUENCE',
  'OBJECT_INDEX',
])

/** … and those of a relation's parts, where the part comes last. */
const PART_OBJECTS = new Set([
  'OBJECT_COLUMN',
  'OBJECT_TABCONSTRAINT',
  'OBJECT_TRIGGER',
  'OBJECT_RULE',
  'OBJECT_POLICY',
])

/**
 * Each relation that the statement reads, writes, defines or drops, wherever it stands, in no order. Names are as
 * qualified as in the text, joined by dots: `orders`, `public.orders`. As Postgres folds them: in lower case unless
 * they were quoted. A part with a dot or a double quote of its own is in double quotes.
 */
export function tablesOf(statement: Tree): readonly string[] {
  const walk: Walk = { found: new Set(), rest: [{ tree: statement, scope: undefined }] }
  for (let next = walk.rest.pop(); next !== undefined; next = walk.rest.pop()) visit(walk, next.tree, next.scope)
  return [...walk.found]
}

function visit(walk: Walk, tree: unknown, outer: Scope | undefined): void {
  if (!isTree(tree)) return
  const scope = isTree(tree['withClause']) ? visitWith(walk, tree['withClause'], outer) : outer
  for (const [key, child] of Object.entries(tree)) {
    if (WITHOUT_TABLES.has(key) || key === 'withClause' || !isTree(child)) continue
    if (key === 'DropStmt' || key === 'CommentStmt' || key === 'SecLabelStmt') visitObjects(walk, child)
    if (typeof child['relname'] !== 'string') walk.rest.push({ tree: child, scope })
    // Only where a query reads (there the node is wrapped by its type) a name of WITH goes before a table's.
    else if (key !== 'RangeVar' || child['schemaname'] !== undefined || !sees(scope, child['relname'])) {
      addName(walk, [child['catalogname'], child['schemaname'], child['relname']])
    }
  }
}

/** What the statement sees. Each query of WITH sees those before it; with RECURSIVE, all of them. */
function visitWith(walk: Walk, clause: Tree, outer: Scope | undefined): Scope | undefined {
  let scope = outer
  const queries: { readonly tree: Tree; readonly before: Scope | undefined }[] = []
  for (const wrapped of listOf(clause['ctes'])) {
    const tree = isTree(wrapped) ? wrapped['CommonTableExpr'] : undefined
    if (!isTree(tree)) continue
    queries.push({ tree, before: scope })
    scope = { name: String(tree['ctename']), outer: scope }
  }
  const isRecursive = clause['recursive'] === true
  for (const { tree, before } of queries) walk.rest.push({ tree, scope: isRecursive ? scope : before })
  return scope
}

function sees(scope: Scope | undefined, name: string): boolean {
  for (let at = scope; at !== undefined; at = at.outer) if (at.name === name) return true
  return false
}

function visitObjects(walk: Walk, statement: Tree): void {
  const type = String(statement['removeType'] ?? statement['objtype'])
  const isPart = PART_OBJECTS.has(type)
  if (!isPart && !RELATION_OBJECTS.has(type)) return
  for (const object of [...listOf(statement['objects']), statement['object']]) {
    const list = isTree(object) ? object['List'] : undefined
    const names = isTree(list) ? listOf(list['items']).map(textOf) : []
    addName(walk, isPart ? names.slice(0, -1) : names)
  }
}

function addName(walk: Walk, parts: readonly unknown[]): void {
  const names = parts.filter((part) => typeof part === 'string')
  if (names.length > 0) walk.found.add(names.map(quoted).join('.'))
}

function quoted(name: string): string {
  return /[."]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name
}

function textOf(node: unknown): unknown {
  const string = isTree(node) ? node['String'] : undefined
  return isTree(string) ? string['sval'] : undefined
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** Arrays too: they are walked by their indices. */
function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null
}
