/** The arrows of the house (CONTRIBUTING.md): an import against them is an error. */
const HOUSE = '^(domain|workflows|activities|store|worker|api|cli)/';
// Outside of workflow code, workflows are spoken to by id and message name only.
const WORKFLOW_NAMES = '^workflows/(ids|messages|search-attributes)\\.ts$';

const only = (from, folders, files = []) => ({
  name: `arrows-of-${from}`,
  severity: 'error',
  from: { path: `^${from}/` },
  to: { path: HOUSE, pathNot: [`^(${[from, ...folders].join('|')})/`, ...files] },
});

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    only('domain', []),
    only('workflows', ['domain']),
    only('activities', ['domain', 'store'], [WORKFLOW_NAMES, '^workflows/activities\\.ts$']),
    only('store', ['domain']),
    only('api', ['domain', 'store'], [WORKFLOW_NAMES]),
    only('worker', ['domain', 'store', 'activities', 'workflows']),
    { name: 'domain-is-pure', severity: 'error', from: { path: '^domain/' }, to: { dependencyTypes: ['core'] } },
    { name: 'domain-knows-no-temporal', severity: 'error', from: { path: '^domain/' }, to: { path: '@temporalio' } },
    {
      name: 'workflows-touch-no-node',
      severity: 'error',
      from: { path: '^workflows/', pathNot: '^workflows/bundle\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
