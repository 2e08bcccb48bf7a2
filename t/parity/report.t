# The parity report: no directive and no variable of mod_ssl differs without a rule that asks for it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Httpd;
use SL::ParityReport qw(rows);

plan skip_all => 'mod_ssl is not there' unless SL::Httpd::has_module('ssl');
my @rows = rows();
cmp_ok(scalar(grep { $_->{what} eq 'directive' } @rows), '>', 70, 'all directives are looked at');
cmp_ok(scalar(grep { $_->{what} eq 'variable' } @rows),  '>', 50, 'and all variables');
is(join("\n", @{ $_->{differs} }), '', "$_->{name}: $_->{tried} cases, none differs without a rule") for @rows;
done_testing;
