(async () => {
  "use strict";
  const common = {
    font: { family: "system-ui, sans-serif", size: 12 },
    margin: { l: 12, r: 48, t: 44, b: 48 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", traceorder: "normal" },
    hoverlabel: { align: "left", bgcolor: "#22272e", bordercolor: "#59616b", font: { family: "system-ui, sans-serif" } },
  };
  const charts = [...document.querySelectorAll(".chart")];
  const shared = document.getElementById("shared");

  // the plot library lies in the page as a compressed text
  const inflated = async (text) => {
    const stream = new DecompressionStream("gzip");
    const writer = stream.writable.getWriter();
    writer.write(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
    writer.close();
    return new Response(stream.readable).text();
  };
  const library = document.createElement("script");
  library.textContent = await inflated(document.getElementById("plotly").textContent);
  document.head.append(library);
  const figures = JSON.parse(document.getElementById("figures").textContent);

  const draw = (chart, { data, layout }, axis) =>
    Plotly.react(
      chart,
      data,
      { ...common, ...layout, legend: { ...common.legend, ...layout.legend }, xaxis: { ...layout.xaxis, ...axis } },
      { responsive: true, displaylogo: false, displayModeBar: false },
    );

  // figures that are lists hold one for each architecture
  const show = () => {
    const chosen = document.querySelector("input[name=architecture]:checked").value;
    for (const part of document.querySelectorAll("[data-architecture]"))
      part.hidden = part.dataset.architecture !== chosen;
    for (const chart of charts) {
      const figure = figures[chart.id];
      if (Array.isArray(figure)) {
        const range = shared.checked && figure[chosen].layout.meta?.shared_range;
        draw(chart, figure[chosen], range ? { range } : {});
      }
    }
  };

  for (const chart of charts) {
    if (!Array.isArray(figures[chart.id])) draw(chart, figures[chart.id]);
    for (const format of ["svg", "png"]) {
      const button = document.createElement("button");
      button.textContent = `save as ${format.toUpperCase()}`;
      button.className = "save";
      button.addEventListener("click", () =>
        Plotly.downloadImage(chart, { format, scale: 2, filename: chart.id, width: 1120, height: chart.clientHeight }),
      );
      chart.after(button);
    }
  }
  show();
  for (const input of document.querySelectorAll("input[type=radio], #shared")) input.addEventListener("change", show);
  matchMedia("print").addEventListener("change", () => {
    for (const chart of charts) Plotly.Plots.resize(chart);
  });
})();
