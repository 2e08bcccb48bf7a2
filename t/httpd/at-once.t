# Clients that come at once, with several connections and requests each, get the pages of the hosts they ask for.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Command qw(run scratch_dir slurp);
use SL::Httpd;

my $certs = SL::Certs->new;
my %pair  = map { $_ => $certs->server("$_.test", type => 'ecdsa') } qw(one two);
my $out   = scratch_dir('sl-at-once');

sub vhost {
    my ($name) = @_;
    return <<"CONF";
<VirtualHost *:\${port_https}>
    ServerName $name.test
    DocumentRoot \${docs}/$name
    SSLEngine on
    SSLCertificateFile "$pair{$name}{both}"
</VirtualHost>
CONF
}

for my $mpm (qw(event worker)) {
    my $httpd = SL::Httpd->new(mpm => $mpm, name => $mpm);
    $httpd->file("docs/$_/index.html", "this is $_\n") for keys %pair;
    $httpd->config("Listen 127.0.0.1:\${port_https}\n" . join '', map { vhost($_) } sort keys %pair);
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    my $port = $httpd->port('https');
    for my $round (1 .. 3) {
        my @clients = map { $_ % 2 ? 'one' : 'two' } 1 .. 8;
        # Each asks twice over one connection, then once over another.
        my @asks = map {
            my $url  = "https://$clients[$_].test:$port/";
            my $curl = "curl -s -k --resolve $clients[$_].test:$port:127.0.0.1 ";
            "{ $curl $url $url; $curl $url; } >$out/$_ &"
        } 0 .. $#clients;
        run(['sh', '-c', join "\n", @asks, 'wait'], timeout => 60);
        my @wrong = grep { slurp("$out/$_") ne "this is $clients[$_]\n" x 3 } 0 .. $#clients;
        is(scalar @wrong, 0, "$mpm: 8 clients, 24 requests, round $round")
            or diag(map { slurp("$out/$_") } @wrong);
    }
    $httpd->stop;
}
done_testing;
