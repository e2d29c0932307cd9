import { LabIcon } from '@jupyterlab/ui-components';

/** A falling loss curve; filled shapes, since Lab's classes colour fills for both themes. */
export const kerasllmIcon = new LabIcon({
  name: 'kerasllm:curve',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16">
  <g class="jp-icon3" fill="#616161">
    <path d="M3 3h2v16h16v2H3z"/><path d="M7 4h2c.6 8 3.500 11 12 11.500v2C10.500 17 7.500 13 7 4z"/>
  </g>
</svg>`
});
