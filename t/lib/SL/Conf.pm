package SL::Conf;

# Pieces of configuration that many tests share.
#
#   tls_host('one.test', $cert)                        a virtual host with TLS on *:${port_https}
#   tls_host('one.test', [$rsa, $ecdsa], 'ServerAlias *.one.test', 'SSLVerifyClient optional')
#   tls_host({name => 'one.test', port => 'other', address => '[::1]'}, $cert, ...)
#   page($httpd, 'one.test')                           its document root, with a page that says "this is one.test"

use strict;
use warnings;
use Exporter 'import';

our @EXPORT_OK = qw(tls_host page);

sub tls_host {
    my ($host, $certs, @more) = @_;
    $host = { name => $host } unless ref $host;
    my $port = $host->{port} || 'https';
    my @addresses = ref $host->{address} ? @{ $host->{address} } : $host->{address} || '*';
    my @lines = ("ServerName $host->{name}", 'SSLEngine on');
    for my $cert (ref $certs eq 'ARRAY' ? @$certs : $certs) {
        push @lines, "SSLCertificateFile \"$cert->{full}\"", "SSLCertificateKeyFile \"$cert->{key}\"";
    }
    push @lines, "DocumentRoot \"\${docs}/$host->{name}\"", @more;
    return "<VirtualHost @{[map {qq($_:\${port_$port})} @addresses]}>\n" . join('', map {"    $_\n"} @lines) . "</VirtualHost>\n";
}

sub page {
    my ($httpd, @names) = @_;
    $httpd->file("docs/$_/index.html", "this is $_\n") for @names;
    return;
}

1;
