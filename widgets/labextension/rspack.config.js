// The builder's own configuration has no rule for TypeScript: swc strips the types, `npm run check` in types/ checks them.
module.exports = {
  resolve: { extensions: ['.tsx', '.ts', '.js'] },
  module: {
    rules: [
      {
        test: /\.tsx?$/,
        loader: 'builtin:swc-loader',
        options: {
          jsc: {
            parser: { syntax: 'typescript', tsx: true },
            transform: { react: { runtime: 'classic' } },
            target: 'es2022'
          }
        },
        type: 'javascript/auto'
      }
    ]
  }
};
