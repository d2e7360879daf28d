# SPDX-License-Identifier: GPL-3.0-or-later
# Time over ideal against batch size: the G10 paper's systems, dashed, and the detailed
# managers on the same machine and networks.  Blocks of detailed.dat: 11 a network.
load scripts . "/style.gp"
data = folder . "/detailed.dat"
networks = "BERT_Base Inceptionv3 ResNet152"
# base UVM, DeepUM, G10; then the eight of configs/exp/g10/detailed.yaml
set multiplot
set logscale y 2
set yrange [0.9:64]
set xlabel "batch"
set tmargin at screen 0.86
set bmargin at screen 0.14
set xtics 500
set label 1 "time of an iteration over ideal (log scale): published (dashed) and detailed" \
	at screen 0.5, 0.95 center font ",13" textcolor rgb "#111111"
do for [n = 0:2] {
	set lmargin at screen 0.06 + 0.23 * n
	set rmargin at screen 0.26 + 0.23 * n
	set title word(networks, n + 1) font ",11" offset 0, -0.4
	if (n) { unset label 1; set format y "" }
	if (n == 2) { set key at screen 0.995, 0.5 right center vertical maxcols 1 Left reverse } else { unset key }
	plot for [k = 0:2] data index n * 11 + k using 1:2 with linespoints linestyle 12 \
		linecolor rgb word("#666666 #999999 #bbbbbb", k + 1) dashtype 2 title columnheader(1), \
		for [k = 3:10] data index n * 11 + k using 1:2 with linespoints \
		linestyle k - 2 title columnheader(1)
}
unset multiplot
